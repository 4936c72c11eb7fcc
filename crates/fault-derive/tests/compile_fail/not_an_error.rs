use underpin_fault::Classify;

#[derive(Debug, Classify)]
enum OrderError {
    #[fault(transparent)]
    Unclassified(std::io::Error),
}

impl std::fmt::Display for OrderError {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}

impl std::error::Error for OrderError {}

fn main() {}
