// Package backupcmd is the command line "worker backup": it makes, lists,
// verifies, restores and compares backups by hand, with the configuration of the
// worker.
//
//	worker backup run
//	worker backup list
//	worker backup verify
//	worker backup restore etrainer-20260817T030000.000Z --database etrainer_restored
//	worker backup compare latest --database etrainer_restored
//
// Answers go to standard output, and what is being done to standard error. A
// name that is left out, or "latest", is the newest backup.
//
// Each command ends with an error when what it was asked for is not so: verify
// for instance when a backup is damaged.
package backupcmd
