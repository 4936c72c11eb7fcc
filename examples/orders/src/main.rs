//! Stub. 
fn main() {}
