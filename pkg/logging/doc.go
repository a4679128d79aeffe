// Package logging sets up the log of a program on zap: it writes JSON, or lines for
// people.
//
//	packages ──▶ slog.Logger ──▶ handler ──▶ zapslog ─┐
//	             (context, levels)                    ├─▶ core ──▶ encoder ──▶ batch ──▶ output
//	access log ──▶ zap.Logger ────────────────────────┘  (secrets)
//
// Three things happen on the way to every line. Attributes put into the
// context with [With], such as the request id or the job id, are added.
// Values under names like password or token are hidden, and so is the user
// part of every URL in a message, a text or an error. Each line of JSON carries
// the service and its version.
//
// Packages never log through a global: they take a *slog.Logger. Messages are
// constant; what varies is in the attributes. The least level can be changed while
// the program runs, see [Level].
package logging
