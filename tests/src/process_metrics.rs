//! The metrics of a server that is a process of its own.

use crate::process::Process;

/// What the log says before the address of the metrics endpoint.
const METRICS_AT: &str = "metrics are at ";

impl Process {
    /// Where its metrics are, as soon as the log says so.
    ///
    /// # Panics
    /// When it does not.
    pub fn metrics_url(&self) -> String {
        let line = self.wait_for_log(METRICS_AT);
        line.split(METRICS_AT).nth(1).unwrap().split(['"', ' ']).next().unwrap().to_owned()
    }

    /// What its metrics are.
    ///
    /// # Panics
    /// When they are not to be had.
    pub async fn scrape(&self) -> String {
        reqwest::get(self.metrics_url()).await.unwrap().text().await.unwrap()
    }

    /// The most memory that it has used at once, in bytes.
    ///
    /// # Panics
    /// When the system does not say.
    pub fn peak_memory_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }
}
