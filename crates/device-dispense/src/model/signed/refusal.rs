use esoz_kernel::failure;

use crate::{DispenseStatus, NotVisible};

failure! {
    /// Why a dispense cannot be changed by a signed document: one variant for each rule that reads the dispense.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum ChangeRefusal {
        /// The dispense does not exist for this caller and patient (K06, E05).
        NotFound(why: NotVisible = NotVisible::Unknown) => NotFound, "not_found", "not_found", reason why.code();
        /// A program pays, and nothing says how much was paid (K07).
        PaymentMissing => Invalid, "payment_missing",
            "Required property payment_amount was not present", at "$.payment_amount";
        /// It was not handed over, or not in time (K08).
        Period => Invalid, "period", "Device dispense period is invalid", at "$.when_handed_over";
        /// The request is not active (K09).
        RequestNotActive => Conflict, "request_not_active", "Device request is not active";
        /// Another user recorded it (K10).
        NotAuthor => Conflict, "not_author", "Employee is not an author of device dispense";
        /// Its status is not `in_progress` (K11).
        CannotBeCompleted(status: DispenseStatus = DispenseStatus::Stopped)
            => Conflict, "wrong_status", "Device dispense in status {status} cannot be completed";
        /// It is completed, or marked in error already (E08).
        CannotBeMarkedInError(status: DispenseStatus = DispenseStatus::Completed)
            => Conflict, "cannot_be_marked_in_error", "Device dispense in status {status} cannot be marked in error";
        /// The status that was signed is another one (K12, E09).
        SignedStatus => Invalid, "signed_status", "value is not allowed in enum", at "$.status";
        /// The reason is none of the dictionary (E10).
        Reason => Invalid, "reason", "value is not allowed in enum", at "$.status_reason";
        /// What was signed is not what is stored (K13, E11): the first field that differs, or `unknown_field` for one that no dispense has.
        Mismatch(field: &'static str = "details") => Invalid, "signed_content_mismatch",
            "Signed content doesn't match with previously created device dispense", at "$.signed_data", reason field;
    }
}
