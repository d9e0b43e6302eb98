//! What the operator decides about device dispenses.

use std::time::Duration;

use anyhow::Result;
use esoz_device_dispense::{CreatePolicy, DispensePolicy};
use esoz_kernel::Decimal;

use super::Config;

impl Config {
    /// What the operator decides about the operations on device dispenses.
    pub(crate) fn dispense_policy(&self) -> Result<DispensePolicy> {
        let section = &self.sections.device_dispense;
        let lifetime = (section.lifetime_s > 0).then(|| Duration::from_secs(section.lifetime_s));
        let deviation = &section.discount_deviation;
        let one = Decimal::from(1);
        let discount_deviation = if deviation.is_empty() {
            None
        } else {
            let what = "must be empty or a number from 0 to 1, such as \"0.05\"";
            Some(self.amount("device_dispense.discount_deviation", deviation, what, |part| *part <= one)?)
        };
        let what = "must be an amount in hryvnias, such as \"0.50\"";
        Ok(DispensePolicy {
            create: CreatePolicy {
                requires_active_patient: section.active_patients,
                requires_verified_patient: section.verified_patients,
                requires_dls_verification: section.division_dls_verify,
                lifetime,
                discount_tolerance: self.amount(
                    "device_dispense.discount_tolerance",
                    &section.discount_tolerance,
                    what,
                    |_| true,
                )?,
                discount_deviation,
                // Validation refuses a number out of range; here it only must fit.
                max_wrong_codes: u32::try_from(section.max_wrong_codes).unwrap_or(u32::MAX),
                units: section.units.clone(),
            },
            is_author_required: section.complete_by_author,
            mark_in_error_reasons: section.mark_in_error_reasons.iter().cloned().collect(),
        })
    }

    fn amount(
        &self,
        key: &'static str,
        text: &str,
        what: &str,
        is_right: impl Fn(&Decimal) -> bool,
    ) -> Result<Decimal> {
        let amount = text.parse().ok().filter(|amount: &Decimal| !amount.is_negative() && is_right(amount));
        amount.ok_or_else(|| self.refuse(key, what))
    }
}
