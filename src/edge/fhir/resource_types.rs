//! The names of the resources of FHIR R4.

/// The resource types of FHIR R4 (4.0.1), so that a misspelt one is refused, not left behind.
pub(super) fn is_resource_type(name: &str) -> bool {
    const TYPES: &str = " Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment \
        AppointmentResponse AuditEvent Basic Binary BiologicallyDerivedProduct BodyStructure \
        Bundle CapabilityStatement CarePlan CareTeam CatalogEntry ChargeItem \
        ChargeItemDefinition Claim ClaimResponse ClinicalImpression CodeSystem Communication \
        CommunicationRequest CompartmentDefinition Composition ConceptMap Condition Consent \
        Contract Coverage CoverageEligibilityRequest CoverageEligibilityResponse \
        DetectedIssue Device DeviceDefinition DeviceMetric DeviceRequest DeviceUseStatement \
        DiagnosticReport DocumentManifest DocumentReference EffectEvidenceSynthesis Encounter \
        Endpoint EnrollmentRequest EnrollmentResponse EpisodeOfCare EventDefinition Evidence \
        EvidenceVariable ExampleScenario ExplanationOfBenefit FamilyMemberHistory Flag Goal \
        GraphDefinition Group GuidanceResponse HealthcareService ImagingStudy Immunization \
        ImmunizationEvaluation ImmunizationRecommendation ImplementationGuide InsurancePlan \
        Invoice Library Linkage List Location Measure MeasureReport Media Medication \
        MedicationAdministration MedicationDispense MedicationKnowledge MedicationRequest \
        MedicationStatement MedicinalProduct MedicinalProductAuthorization \
        MedicinalProductContraindication MedicinalProductIndication \
        MedicinalProductIngredient MedicinalProductInteraction MedicinalProductManufactured \
        MedicinalProductPackaged MedicinalProductPharmaceutical \
        MedicinalProductUndesirableEffect MessageDefinition MessageHeader MolecularSequence \
        NamingSystem NutritionOrder Observation ObservationDefinition OperationDefinition \
        OperationOutcome Organization OrganizationAffiliation Parameters Patient \
        PaymentNotice PaymentReconciliation Person PlanDefinition Practitioner \
        PractitionerRole Procedure Provenance Questionnaire QuestionnaireResponse \
        RelatedPerson RequestGroup ResearchDefinition ResearchElementDefinition \
        ResearchStudy ResearchSubject RiskAssessment RiskEvidenceSynthesis Schedule \
        SearchParameter ServiceRequest Slot Specimen SpecimenDefinition StructureDefinition \
        StructureMap Subscription Substance SubstanceNucleicAcid SubstancePolymer \
        SubstanceProtein SubstanceReferenceInformation SubstanceSourceMaterial \
        SubstanceSpecification SupplyDelivery SupplyRequest Task TerminologyCapabilities \
        TestReport TestScript ValueSet VerificationResult VisionPrescription ";
    TYPES.split_ascii_whitespace().any(|known| known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_type_is_one_of_fhir_r4() {
        assert!(is_resource_type("Patient") && is_resource_type("Account"));
        assert!(
            !is_resource_type("Passport") && !is_resource_type("") && !is_resource_type("patient")
        );
    }
}
