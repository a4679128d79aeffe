// Package errs names the kinds of failure that cross package borders.
//
// Domain packages keep sentinels and typed errors of their own. Where a
// failure has to reach a user, it becomes an [*Error]: a [Kind], and one
// sentence that is safe to show. The api maps kinds to statuses in one place
// and shows nothing but that sentence; the wrapped cause is for the log.
package errs
