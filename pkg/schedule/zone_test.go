package schedule_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/etrainer/backend/pkg/schedule"
)

// Each name of the database is known in any case, as in Node.
func TestZonesInAnyCase(t *testing.T) {
	t.Parallel()
	names, err := os.ReadFile(filepath.FromSlash("zones.txt"))
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for name := range strings.FieldsSeq(string(names)) {
		count++
		for _, written := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			zone, err := schedule.ParseZone(written)
			if err != nil || zone.String() != name && !strings.EqualFold(name, "utc") && !strings.EqualFold(name, "gmt") {
				t.Errorf("ParseZone(%q) = %v, %v; want %s", written, zone, err, name)
			}
		}
	}
	if count < 500 {
		t.Errorf("the list has %d names only", count)
	}
	for _, wrong := range []string{"us/nowhere", "../etc/passwd", "America", "zones.txt"} {
		if zone, err := schedule.ParseZone(wrong); err == nil {
			t.Errorf("ParseZone(%q) = %v, want an error", wrong, zone)
		}
	}
}
