//! Tests of `cloudevents`.
