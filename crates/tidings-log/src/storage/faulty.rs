//! Storage that fails on command, for tests: the nth write or sync, a full disk, half a write.
