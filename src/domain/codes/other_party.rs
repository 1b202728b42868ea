//! What a worker may say of the other party, for her safety. Closed lists, like all codes.

use borsh::{BorshDeserialize, BorshSerialize};

codes!(
    /// What the other party is to her.
    Relation {
        Partner = "partner",
        FormerPartner = "former_partner",
        Parent = "parent",
        AdultChild = "adult_child",
        Sibling = "sibling",
        OtherRelative = "other_relative",
        PartnersRelative = "partners_relative",
        Carer = "carer",
        Acquaintance = "acquaintance",
        Stranger = "stranger",
        Unknown = "unknown",
    }
);

codes!(
    /// What makes the other party dangerous to her, as a service must know that takes her in.
    OtherPartyRisk {
        HasWeapons = "has_weapons",
        ThreatenedToKill = "threatened_to_kill",
        Strangled = "strangled",
        Follows = "follows_or_watches",
        KnowsWhereSheIs = "knows_where_she_is",
        ThreatensChildren = "threatens_children",
        ThreatensSuicide = "threatens_suicide",
        BrokeOrder = "broke_order",
        OnBail = "on_bail",
        RecentlyReleased = "recently_released",
        /// May see what agencies hold, or know who does.
        WorksForAgency = "works_for_agency",
        /// Others act together with the other party, or in the same cause.
        OthersAct = "others_act_too",
    }
);
