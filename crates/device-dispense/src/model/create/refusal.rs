use esoz_kernel::{Decimal, failure};

use super::faults::Faults;
use super::texts;

failure! {
    /// Why a dispense cannot be recorded: one variant for each rule of a create, in their order, with the answer that the table of rules names.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum CreateRefusal {
        /// The patient does not exist (N05).
        PatientNotFound => NotFound, "patient_not_found", "not_found";
        /// The patient is not active (N06).
        PatientNotActive => Conflict, "patient_not_active", "Patient is not active";
        /// The patient is not verified (N06).
        PatientNotVerified => Conflict, "patient_not_verified", "Patient is not verified";
        /// The performer is none of the user's employees (N07).
        PerformerOfAnotherUser => Invalid, "performer_of_another_user",
            "User is not allowed to create device dispense for the performer", at "$.performer";
        /// The performer is not active and approved (N08).
        PerformerNotActive => Invalid, "performer_not_active", "Employee is not active", at "$.performer";
        /// The performer's post has ended, or ends today (N08).
        PerformerEnds => Invalid, "performer_ends", "end_date must be in future", at "$.performer";
        /// The performer works for another legal entity (N09).
        PerformerOfAnotherLegalEntity => Invalid, "performer_of_another_legal_entity",
            "Employee does not belong to legal entity from token", at "$.performer";
        /// The location does not exist (N10).
        LocationNotFound => Conflict, "location_not_found", "Division not found", at "$.location";
        /// The location is not active (N11).
        LocationNotActive => Conflict, "location_not_active", "Division is not active", at "$.location";
        /// The location belongs to another legal entity (N12).
        LocationOfAnotherLegalEntity => Conflict, "location_of_another_legal_entity",
            "Division does not belong to user's legal entity", at "$.location";
        /// The location is not verified in DLS (N13).
        LocationNotVerified => Conflict, "location_not_verified", "Division is not verified in DLS", at "$.location";
        /// The request does not exist, or is another patient's (N14).
        RequestNotFound => Invalid, "request_not_found", "Device request not found", at "$.based_on";
        /// The request is no order (N15).
        RequestIsNoOrder => Conflict, "request_is_no_order",
            "Only device request with intent = 'order' can be dispensed", at "$.based_on";
        /// The request is not active (N16).
        RequestNotActive => Conflict, "request_not_active", "Device request is not active", at "$.based_on";
        /// The request has expired (N17).
        RequestExpired => Conflict, "request_expired", "Device request is expired for dispense", at "$.based_on";
        /// The program is another one than the request's (N18).
        ProgramMismatch => Conflict, "program_mismatch",
            "Program in dispense doesn't match the one in device request", at "$.program";
        /// The program pays for nothing that the request asks for (N19).
        NotQualified => Conflict, "not_qualified",
            "Device request can not be dispensed. Invoke qualify dispense request API to get detailed info";
        /// The id is taken (N20).
        IdTaken => Conflict, "id_taken", "Device dispense with such id already exists", at "$.id";
        /// Another dispense of the request is in progress (N21).
        OtherActive => Invalid, "other_active", "Other active device dispense already exist.", at "$.based_on";
        /// A device refers to something else (N22).
        DeviceCode(faults: Faults = Faults::at("device", texts::NOT_IN_ENUM))
            => Invalid, "device_code", "A device is no device_definition", faults faults;
        /// A device definition does not exist, or is not active (N23).
        DeviceNotFound(faults: Faults = Faults::at("device", texts::DEVICE_NOT_FOUND))
            => Invalid, "device_not_found", "A device definition was not found", faults faults;
        /// A device is not the one prescribed (N24).
        DeviceMismatch(faults: Faults = Faults::at("device", texts::DEVICE_MISMATCH))
            => Invalid, "device_mismatch", "A device is not the one prescribed", faults faults;
        /// A packaging unit is not the one prescribed (N25).
        PackagingUnit(faults: Faults = Faults::at("device", texts::PACKAGING_UNIT))
            => Invalid, "packaging_unit", "A packaging unit is not the one prescribed", faults faults;
        /// A quantity is no multiple of the packaging count (N26).
        PackagingCount(faults: Faults = Faults::at("quantity.value", texts::PACKAGING_COUNT))
            => Invalid, "packaging_count", "A quantity is no multiple of the packaging count", faults faults;
        /// A program device does not fit, or cannot be chosen (N27).
        ProgramDevice(faults: Faults = Faults::at("program_device", texts::PROGRAM_DEVICE_NOT_ACTIVE))
            => Invalid, "program_device", "A program device does not fit", faults faults;
        /// A program allows less for a day (N28).
        DailyCount(faults: Faults = Faults::at("program_device", texts::DAILY_COUNT))
            => Invalid, "daily_count", "A program device allows less for a day", faults faults;
        /// The quantities are not what was prescribed (N29).
        Quantity => Invalid, "quantity",
            "Dispensed quantity must be equal to prescribed quantity in Device Request", at "$.details";
        /// A unit is not the one prescribed (N30).
        Unit(faults: Faults = Faults::at("quantity.code", texts::UNIT))
            => Invalid, "unit", "A unit is not the one prescribed", faults faults;
        /// A price is missing, or there although no program pays (N31).
        Prices(faults: Faults = Faults::at("sell_price", texts::NO_SELL_PRICE))
            => Invalid, "prices", "Prices are missing, or given without a program", faults faults;
        /// A discount is not what the program allows (N32).
        Discount(faults: Faults = Faults::of("discount_amount", [
            texts::DISCOUNT_NOT_ZERO.into(), texts::DISCOUNT_TOO_LARGE.into(), texts::discount_too_small(&Decimal::from(95).shifted(-2)),
        ]))
            => Invalid, "discount", "A discount is not what the program allows", faults faults;
        /// The verification code is wrong, or missing (N33). The attempt counts.
        WrongCode => Forbidden, "wrong_code", "Incorrect code";
        /// Too many wrong codes were given for the request within an hour (N37).
        TooManyCodes(retry_after_s: u64 = 3_600) => TooManyRequests, "too_many_codes",
            "Too many incorrect codes were given for this device request. Please try again after {retry_after_s} s.",
            retry *retry_after_s;
    }
}
