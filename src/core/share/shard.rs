//! Which shard a target belongs to, and how many shards each replica takes.

use crate::ids::TargetId;

/// The shard of a target among so many: the same for every replica and every version, since journals are divided by it.
/// FNV-1a over kind, namespace and name, with a zero byte behind each.
pub fn shard_of(target: &TargetId, shards: u32) -> u32 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let kind = target.kind.to_string();
    let parts = [kind.as_str(), &target.namespace, &target.name];
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    let hash = bytes.fold(OFFSET, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    });
    // The low bits of FNV-1a are not well mixed for short texts.
    let mixed = hash ^ (hash >> 32);
    u32::try_from(mixed % u64::from(shards.max(1))).unwrap_or(0)
}

/// How many of the shards the replica takes that is the `rank`-th of so many, counted from 0.
pub fn quota(shards: u32, replicas: u32, rank: u32) -> u32 {
    let replicas = replicas.max(1);
    shards / replicas + u32::from(rank < shards % replicas)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::TargetKind;

    #[test]
    fn targets_are_spread_and_stay_where_they_are() {
        let target = |number: u32| TargetId {
            namespace: "shop".into(),
            kind: TargetKind::Deployment,
            name: format!("service-{number}"),
        };
        let mut counts = [0; 8];
        for number in 0..1000 {
            counts[shard_of(&target(number), 8) as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (90..160).contains(count)),
            "{counts:?}"
        );
        // Journals in clusters are divided by exactly this.
        let first: Vec<u32> = (0..8).map(|number| shard_of(&target(number), 8)).collect();
        insta::assert_compact_json_snapshot!(first);
        assert_eq!(shard_of(&target(1), 1), 0);
    }

    #[test]
    fn every_shard_is_somebody_s() {
        for shards in 1..=16 {
            for replicas in 1..=20 {
                let sum: u32 = (0..replicas)
                    .map(|rank| quota(shards, replicas, rank))
                    .sum();
                assert_eq!(sum, shards);
            }
        }
        assert_eq!([0, 1, 2].map(|rank| quota(4, 3, rank)), [2, 1, 1]);
    }
}
