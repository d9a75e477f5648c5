//! Faults in turn.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::random::Random;

/// How many rounds more a fault is given that has had no effect when the time is over.
const FURTHER_ROUNDS: u32 = 3;

/// Inflicts faults round after round, each in another order, until the time `is_over` and all have had their effect. One that has had none
/// by then is tried a few times more. `inflict` says whether there was an effect; `fired` counts those.
///
/// # Errors
/// The first of `inflict`.
pub fn inflict_in_turn<F: Copy + Ord, const COUNT: usize>(
    all: [F; COUNT],
    random: &mut Random,
    is_over: impl Fn() -> bool,
    fired: &mut BTreeMap<F, u64>,
    mut inflict: impl FnMut(F, &mut Random) -> Result<bool>,
) -> Result<()> {
    let (mut order, mut further_rounds) = (all, 0);
    for round in 0.. {
        let is_late = || round > 0 && is_over();
        if is_late() {
            further_rounds += 1;
            if further_rounds > FURTHER_ROUNDS || all.iter().all(|fault| fired.contains_key(fault)) {
                break;
            }
        }
        for fault in order {
            if is_late() && fired.contains_key(&fault) {
                continue;
            }
            if inflict(fault, random)? {
                *fired.entry(fault).or_default() += 1;
            }
        }
        for last in (1..COUNT).rev() {
            order.swap(last, random.index(last + 1));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three faults, of which the second has an effect from its `works_from`th time on: how often each was inflicted, and had an effect.
    fn inflicted(is_over: bool, works_from: u64) -> (BTreeMap<u8, u64>, BTreeMap<u8, u64>) {
        let (mut tries, mut fired) = (BTreeMap::new(), BTreeMap::new());
        let rounds = std::cell::Cell::new(0);
        let inflict = |fault, _: &mut Random| {
            rounds.set(rounds.get() + 1);
            let tried = tries.entry(fault).or_insert(0);
            *tried += 1;
            Ok(fault != 2 || *tried >= works_from)
        };
        inflict_in_turn([1, 2, 3], &mut Random::new(7), || is_over || rounds.get() >= 12, &mut fired, inflict)
            .expect("no error");
        (tries, fired)
    }

    #[test]
    fn each_fault_has_its_turn_in_each_round_until_the_time_is_over() {
        let all_four_times = BTreeMap::from([(1, 4), (2, 4), (3, 4)]);
        assert_eq!(inflicted(false, 1), (all_four_times.clone(), all_four_times));
    }

    #[test]
    fn each_fault_has_a_turn_though_the_time_is_over() {
        let all_once = BTreeMap::from([(1, 1), (2, 1), (3, 1)]);
        assert_eq!(inflicted(true, 1), (all_once.clone(), all_once));
    }

    #[test]
    fn a_fault_without_an_effect_is_tried_again_when_the_time_is_over() {
        assert_eq!(
            inflicted(true, 3),
            (BTreeMap::from([(1, 1), (2, 3), (3, 1)]), BTreeMap::from([(1, 1), (2, 1), (3, 1)]))
        );
    }

    #[test]
    fn a_fault_that_never_has_an_effect_is_given_up() {
        assert_eq!(
            inflicted(true, u64::MAX),
            (BTreeMap::from([(1, 1), (2, 4), (3, 1)]), BTreeMap::from([(1, 1), (3, 1)]))
        );
    }
}
