//! Tests of `publisher`.
