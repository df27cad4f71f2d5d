//! The hazards of automatic rollback, a file each: what would go wrong, and that it does not.

mod hazard_06_gitops_re_applies_the_bad_version;
