//! The bank: its rule, and that its files take it away and bring it back.

use super::*;

fn bank() -> (Bank, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let bank = Bank::beside(directory.path());
    bank.open().unwrap();
    (bank, directory)
}

#[test]
fn it_decides_by_customer_and_amount() {
    for (customer, cents, answer) in [
        (4, 2_933, Answer::Taken),
        (4, 25_000, Answer::Taken),
        (4, 25_001, Answer::Refused),
        (28, 1, Answer::Taken),
        (29, 1, Answer::Refused),
        (58, 2_933, Answer::Refused),
        (29, 0, Answer::Taken),
    ] {
        assert_eq!(rule(customer, cents), answer, "{customer} {cents}");
    }
}

#[test]
fn a_directory_that_was_never_made_is_a_bank_that_works() {
    let directory = tempfile::tempdir().unwrap();
    let answer = Bank::beside(directory.path()).charge(100, 4, 1).unwrap();
    assert_eq!(answer, Answer::Taken);
}

#[test]
fn it_is_away_while_its_file_is_there() {
    let (bank, _directory) = bank();
    fs::write(bank.away(), "").unwrap();
    let error = bank.charge(1, 4, 1).unwrap_err();
    assert!(matches!(error, BankError::Away), "{error}");
    fs::write(bank.away(), "1").unwrap();
    assert_eq!(bank.charge(1, 4, 1).unwrap(), Answer::Taken, "1970 is over");
    fs::remove_file(bank.away()).unwrap();
    assert_eq!(bank.charge(1, 4, 1).unwrap(), Answer::Taken);
}

#[test]
fn a_planned_outage_begins_once_with_the_100th_order() {
    let (bank, _directory) = bank();
    bank.plan_outage(Duration::from_secs(3_600)).unwrap();
    assert_eq!(bank.charge(99, 4, 1).unwrap(), Answer::Taken);
    bank.charge(100, 4, 1).unwrap_err();
    bank.charge(1, 4, 1).unwrap_err();
    fs::remove_file(bank.away()).unwrap();
    assert_eq!(bank.charge(101, 4, 1).unwrap(), Answer::Taken, "it was planned once");
}

#[test]
fn cards_are_unreadable_until_somebody_mends_them() {
    let (bank, _directory) = bank();
    bank.spoil_cards().unwrap();
    assert_eq!(bank.charge(1, 4, 1).unwrap(), Answer::Taken);
    let error = bank.charge(8, 71, 1).unwrap_err().to_string();
    assert_eq!(error, "the bank cannot read the card of customer 71");
    fs::write(bank.unreadable_cards(), "113\n").unwrap();
    assert_eq!(bank.charge(8, 71, 1).unwrap(), Answer::Taken);
}
