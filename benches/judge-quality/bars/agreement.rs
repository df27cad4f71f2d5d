//! Agreement with what others drew and counted (B16): of our judges, and beside the bar of the peers and oracles, which are
//! worth comparing with only if they are what they are called.

use super::{Bar, Measured};
use crate::counting::Medians;
use crate::reference;
use crate::scenario::Reached;

pub(super) fn judges(all: &[Measured], reached: &[Reached]) -> Bar<'static> {
    let bar = Bar::new("B16", "agreement with the reference judge");
    agreement(bar, all, reached, |one, name| {
        let medians = if one.full {
            Medians::AsAsked
        } else {
            Medians::Drawn
        };
        (format!("judge: {name}"), medians)
    })
}

pub(super) fn others(all: &[Measured], reached: &[Reached]) -> Bar<'static> {
    let bar = Bar::new("B16'", "the same of peers and oracles");
    agreement(bar, all, reached, |_, name| {
        (name.to_owned(), Medians::Drawn)
    })
}

/// At most 1 % of the cells beyond three standard errors.
fn agreement(
    mut bar: Bar<'static>,
    all: &[Measured],
    reached: &[Reached],
    compared: impl Fn(&Measured, &str) -> (String, Medians),
) -> Bar<'static> {
    let (mut cells, mut beyond) = (0_u32, Vec::new());
    for one in all {
        for (judge, counts) in &one.counts {
            let (name, medians) = compared(one, judge);
            let Some(reference) = reference(reached, &one.scenario.name, &name) else {
                continue;
            };
            cells += 1;
            let differs = counts.differs(reference, one.scenario.tick_s, medians);
            if !differs.is_empty() {
                let name = &one.scenario.name;
                beyond.push(format!("{name} {judge}: {}", differs.join("; ")));
            }
        }
    }
    if cells > 0 {
        let share = beyond.len() as f64 / f64::from(cells);
        let told = format!("{} of {cells} cells beyond", beyond.len());
        bar.cell(share <= 0.01, share, told);
        for cell in beyond {
            println!("  disagrees: {cell}");
        }
    }
    bar
}
