// Package ledger keeps effects on the outside world from happening twice. A
// job that is run again (after a crash, a lost lease, a failed attempt) asks
// the ledger which of its effects are done and makes only the others.
//
// An effect has a key that says what it is about and nothing of the run, such
// as "daily/2025-08-04/65a7…": the day's notification of one user. Before the
// effect the key is claimed, after it the claim is settled; both in the
// database, many keys in one command. [Do] is the helper that does the two.
//
//	free ──claim──▶ claimed ──settle──▶ done      made; never again
//	  ▲                │    └─settle──▶ failed    cannot be made; never again
//	  └────settle──────┘                          not made; may be tried again
//
// # The window between claim and settle
//
// A process that dies there leaves a claim of which nobody knows whether the
// effect was made. What happens to it is a [Policy], chosen for each use:
//
//   - AtMostOnce: the key stays claimed. Later runs skip it and count it as
//     uncertain. For notifications: one that is missing is better than two.
//   - AtLeastOnce(after): a later run takes the claim over when it is older
//     than that. For effects that may be repeated, such as deleting a file.
//     after must be longer than one batch takes, or two runs that overlap both
//     make the effect.
//
// Entries are kept for a time that the writer chooses, which must be longer
// than the key can come up again, and removed afterwards.
package ledger
