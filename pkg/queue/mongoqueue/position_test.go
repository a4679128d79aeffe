package mongoqueue

import (
	"testing"
)

// FuzzCursor: what a page gives out is read back as it is, and nothing else is
// taken for a cursor that would read differently.
func FuzzCursor(f *testing.F) {
	for _, seed := range []string{
		"", "all.65a7c1d2e3f405162738495a", "queued.1705486830456.65a7c1d2e3f405162738495a", "failed.-1.65a7c1d2e3f405162738495a",
		"completed.65a7c1d2e3f405162738495a", "scheduled.+5.65a7c1d2e3f405162738495a", "scheduled..", "..", "all.", "queued.99999999999999999999.65a7c1d2e3f405162738495a",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := readPosition(text)
		if err != nil || p == nil {
			if err == nil && text != "" {
				t.Errorf("%q is taken for the beginning", text)
			}
			return
		}
		again, err := readPosition(p.String())
		if err != nil || *again != *p {
			t.Errorf("%q is read as %+v, written as %q and read as %+v, %v", text, p, p, again, err)
		}
	})
}
