package limit

import (
	"slices"
	"time"
)

// window is what was taken of one key, by slot, oldest first. It has at most
// Slots entries.
type window []taken

type taken struct {
	slot int64 // number since 1970
	n    int
}

// current returns the window without the slots that no longer count.
func (w window) current(slot int64) window {
	for i, t := range w {
		if t.slot > slot-Slots {
			return w[i:]
		}
	}
	return nil
}

func (w window) used() (sum int) {
	for _, t := range w {
		sum += t.n
	}
	return sum
}

// take is Store.Take on a window. The window that it is called on stays as it
// is.
func (w window) take(rule Rule, now time.Time, n int) (window, Result) {
	slot := slotOf(rule, now)
	w = slices.Clone(w.current(slot))
	used := w.used()
	if used+n > rule.Max {
		return w, Result{Remaining: max(rule.Max-used, 0), Reset: w.free(rule, now, 1), RetryAfter: w.free(rule, now, used+n-rule.Max)}
	}
	if last := len(w) - 1; last >= 0 && w[last].slot >= slot {
		w[last].n += n
	} else {
		w = append(w, taken{slot, n})
	}
	return w, Result{Allowed: true, Remaining: rule.Max - used - n, Reset: w.free(rule, now, 1)}
}

// refund is Store.Refund on a window.
func (w window) refund(rule Rule, now time.Time, n int) window {
	w = slices.Clone(w.current(slotOf(rule, now)))
	for n > 0 && len(w) > 0 {
		last := &w[len(w)-1]
		back := min(n, last.n)
		last.n -= back
		n -= back
		if last.n == 0 {
			w = w[:len(w)-1]
		}
	}
	return w
}

// free is how long it takes until n of what was taken no longer count.
func (w window) free(rule Rule, now time.Time, n int) time.Duration {
	for _, t := range w {
		if n -= t.n; n <= 0 {
			return time.UnixMilli((t.slot + Slots) * rule.Slot().Milliseconds()).Sub(now)
		}
	}
	return 0
}

func slotOf(rule Rule, now time.Time) int64 { return now.UnixMilli() / rule.Slot().Milliseconds() }
