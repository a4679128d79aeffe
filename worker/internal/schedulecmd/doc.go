// Package schedulecmd is the command line "worker schedule": it prints when a
// schedule runs and what a time phrase means, in words and as instants, without
// touching a queue. Operators check a repeatInterval with it before they store
// one.
//
//	worker schedule next "0 9 * * mon-fri" --timezone Asia/Ho_Chi_Minh --count 3
//	worker schedule next "5 minutes" --from 2024-01-17T10:20:30Z --last 2024-01-17T10:20:00Z
//	worker schedule when "tomorrow at 9am" --timezone Asia/Ho_Chi_Minh --json
//
// The answer goes to standard output. With --json it is {"next":["…"]}, the
// instants in UTC with milliseconds, or {"next":[],"error":"…"}.
//
// The commands print no error and no usage by themselves: Execute returns an
// [*ExitError] whose text the program prints unless it is empty, which means that
// the JSON answer has said it.
package schedulecmd
