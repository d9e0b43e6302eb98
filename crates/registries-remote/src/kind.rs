use esoz_kernel::words;

words! {
    /// A registry. The word is its path.
    #[derive(PartialOrd, Ord)]
    pub enum RegistryKind {
        /// Legal entities: whether they may act, and their names.
        LegalEntities = "legal_entities",
        /// The divisions where something is dispensed.
        Divisions = "divisions",
        /// Patients.
        Persons = "persons",
        /// The parties of users.
        Parties = "parties",
        /// Employees.
        Employees = "employees",
        /// Medical programs.
        MedicalPrograms = "medical_programs",
        /// Device definitions.
        DeviceDefinitions = "device_definitions",
        /// The devices of programs, with their definitions.
        ProgramDevices = "program_devices",
    }
}
