//! Why the cache cannot be in a Redis that answers.

/// Why the cache cannot be in a Redis that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The keys of one script have to be in one slot there, and without a hash tag they are not.
    #[error(
        "it runs in cluster mode, where keys must lie in one slot; set redis_hash_tags, or use one without cluster-enabled"
    )]
    Cluster,
    /// In cluster mode: the slot of the deployment's keys is on another node, on its way there, or nobody's.
    #[error(
        "the slot of the cache's keys is not on this node of the cluster; redis_url must lead to the one that has it"
    )]
    OtherNode,
    /// Only its master may write to it.
    #[error("it is a replica; redis_url must lead to the master")]
    Replica,
    /// `KeyDB`: each of two masters takes what the other was told, later.
    #[error("it is an active replica, which another master writes to as well; use a single master")]
    ActiveReplica,
    /// It has no data.
    #[error("it is a Sentinel; redis_url must lead to the master that it watches")]
    Sentinel,
    /// It says a role that is none of these.
    #[error("it says a role that is not `master`")]
    NoMaster,
    /// The platform's interface cannot hold what comes back.
    #[error("redis_url asks for RESP3, whose answers the platform does not hand on; leave out `protocol`")]
    Resp3,
}
