use super::{Finding, Kind};

/// What stands against a run of updates of which only the numbers are known: how many were done, how many audit rows there are, and of how
/// many requests these are. Nothing, if all is well.
pub fn check_counts(done: usize, rows: usize, requests: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    if requests < done {
        let text = format!("{done} updates were acknowledged, {requests} are in the audit");
        findings.push(Finding::new(Kind::Lost, text));
    }
    if rows > requests {
        findings
            .push(Finding::new(Kind::Twice, format!("{rows} rows of the audit are of {requests} requests")));
    }
    if requests > done {
        let text = format!("{requests} updates were made, {done} were acknowledged");
        findings.push(Finding::new(Kind::Uninvited, text));
    }
    findings
}
