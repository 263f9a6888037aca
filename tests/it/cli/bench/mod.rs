//! `bench`: servers that are measured.

mod compare;
