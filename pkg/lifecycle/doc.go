// Package lifecycle is the one start and stop contract of everything that
// owns a goroutine.
//
// A [Service] starts and stops. A [Loop] makes a Service out of a function. A
// [Group] starts services in order and stops them in the reverse order. [Run]
// runs a group as a process: until a signal, a failure, or the end of its
// context.
//
//	                Start                    signal, failure
//	stopped ───────────────────▶ running ───────────────────▶ stopping ──▶ stopped
//	   ▲                            │          Stop                           ▲
//	   └── Start failed             └──────────────────────────────────────────┘
//
// # Contexts
//
// The context of Start bounds the starting alone; only Stop ends what runs.
// Were it otherwise, a signal that cancels the context of the process would
// stop everything at once, in no order. The context of Stop bounds the
// waiting.
package lifecycle
