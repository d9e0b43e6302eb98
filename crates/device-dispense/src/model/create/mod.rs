//! The rules of a create (section 5), each a pure function of facts, in the order of the table: patient, performer, location, request, program,
//! devices, program devices, quantities, prices, code.

mod body;
mod code;
mod devices;
mod facts;
mod faults;
mod location;
mod patient;
mod performer;
mod policy;
mod prices;
mod program;
mod program_devices;
mod quantities;
mod record;
mod refusal;
mod request;
mod texts;

use esoz_registries::{DeviceChoice, DeviceDefinition, Employee, Location, ProgramDevice};

pub use body::{AnyReference, Named, NewDetail, NewDevice, NewDispense};
pub use facts::{CreateFacts, RequestFacts};
pub use faults::Faults;
pub use policy::CreatePolicy;
pub use refusal::CreateRefusal;

use super::dispense::Dispense;

impl CreateFacts {
    /// Chooses the program devices among which rule 19 looks for one that fits, if none of those that are dispensed does; `None` when there is
    /// nothing to look for.
    pub fn further_devices(&self, found: &RequestFacts) -> Option<DeviceChoice> {
        let program = self.body.program.as_ref()?.id;
        let request = found.request.as_ref()?;
        let is_decided = program::check(&self.body, request, &self.registries, self.today).is_ok();
        (!is_decided).then(|| request.device.choice(program))
    }

    /// Adds program devices, each with its definition, to those that are known.
    pub fn add_program_devices(&mut self, further: Vec<(ProgramDevice, DeviceDefinition)>) {
        let known = &mut self.registries.program_devices;
        for device in further {
            if !known.iter().any(|(one, _)| one.id == device.0.id) {
                known.push(device);
            }
        }
    }

    /// The first of the rules 5 to 13 that fails: those that come before a request is read.
    pub fn refusal_before_request(&self) -> Option<CreateRefusal> {
        self.performer_and_location().err()
    }

    fn performer_and_location(&self) -> Result<(&Employee, &Location), CreateRefusal> {
        let Self { registries, owner, today, policy, .. } = self;
        patient::check(registries.person.as_ref(), policy)?; // rules 5, 6
        let performer = performer::check(registries, *owner, *today)?; // 7 to 9
        let location = location::check(registries.location.as_ref(), *owner, policy)?; // 10 to 13
        Ok((performer, location))
    }

    /// Decides what is recorded: the first rule that fails answers.
    ///
    /// # Errors
    /// [`CreateRefusal`]
    pub fn decide(&self, found: &RequestFacts) -> Result<Dispense, CreateRefusal> {
        let Self { body, registries, today, policy, .. } = self;
        let (performer, location) = self.performer_and_location()?; // 5 to 13
        let request = request::check(found, body, &self.subject, *today)?; // 14 to 18
        program::check(body, request, registries, *today)?; // 19
        request::check_dispenses(found, request)?; // 20, 21
        let definitions = devices::check(body, request, registries)?; // 22 to 26
        let program_devices = program_devices::check(body, request, registries, &definitions, *today)?; // 27, 28
        quantities::check(body, request)?; // 29, 30
        let allowed = prices::check(body, &program_devices, policy)?; // 31, 32
        code::check(body, request, found, policy, self.at)?; // 33
        Ok(self.dispense(performer, location, &program_devices, &allowed))
    }
}

#[cfg(test)]
mod tests;
