package backup_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the same zones on every machine

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/worker/internal/backup"
	"github.com/etrainer/backend/worker/internal/backup/dirstore"
)

// nightly names one backup a day at 3 in the morning, the oldest first.
func nightly(zone *time.Location, last time.Time, days int) []string {
	var names []string
	for day := days - 1; day >= 0; day-- {
		names = append(names, backup.NameOf("etrainer", time.Date(last.Year(), last.Month(), last.Day()-day, 3, 0, 0, 0, zone)))
	}
	return names
}

func TestRetention(t *testing.T) {
	t.Parallel()
	saigon, err := time.LoadLocation("Asia/Ho_Chi_Minh")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 8, 20, 4, 0, 0, 0, saigon) // a Thursday
	name := func(text string) string {
		started, err := time.ParseInLocation("2006-01-02 15:04", text, saigon)
		if err != nil {
			t.Fatal(err)
		}
		return backup.NameOf("etrainer", started)
	}
	for title, test := range map[string]struct {
		keep  backup.Retention
		names []string
		want  []string // local dates and reasons, the newest first
	}{
		"none":       {backup.Retention{Daily: 7}, nil, nil},
		"the newest": {backup.Retention{}, nightly(saigon, now, 3), []string{"2026-08-20 03:00 newest"}},
		"three days": {backup.Retention{Daily: 3}, nightly(saigon, now, 9), []string{"2026-08-20 03:00 newest, daily", "2026-08-19 03:00 daily", "2026-08-18 03:00 daily"}},
		"a year nightly": {
			backup.Retention{Daily: 2, Weekly: 3, Monthly: 4},
			nightly(saigon, now, 365),
			[]string{
				"2026-08-20 03:00 newest, daily, weekly, monthly", "2026-08-19 03:00 daily",
				"2026-08-16 03:00 weekly", "2026-08-09 03:00 weekly", // Sundays: the last of their weeks
				"2026-07-31 03:00 monthly", "2026-06-30 03:00 monthly", "2026-05-31 03:00 monthly",
			},
		},
		"a pause removes nothing": {
			backup.Retention{Daily: 2, Weekly: 1, Monthly: 2},
			[]string{name("2026-01-05 03:00"), name("2026-05-01 03:00"), name("2026-05-02 03:00")},
			[]string{"2026-05-02 03:00 newest, daily, weekly, monthly", "2026-05-01 03:00 daily", "2026-01-05 03:00 monthly"},
		},
		"the newest of each day": {
			backup.Retention{Daily: 2},
			[]string{name("2026-08-19 03:00"), name("2026-08-19 23:59"), name("2026-08-20 00:00"), name("2026-08-20 03:00")},
			[]string{"2026-08-20 03:00 newest, daily", "2026-08-19 23:59 daily"},
		},
		"all of the last days": {
			backup.Retention{All: 25 * time.Hour, Daily: 1},
			[]string{name("2026-08-19 02:59"), name("2026-08-19 03:01"), name("2026-08-20 03:00"), name("2026-08-20 03:59")},
			[]string{"2026-08-20 03:59 newest, recent, daily", "2026-08-20 03:00 recent", "2026-08-19 03:01 recent"},
		},
		"from the future": {
			backup.Retention{Daily: 1},
			[]string{name("2026-08-19 03:00"), name("2026-08-20 03:00"), name("2030-01-01 03:00")},
			[]string{"2030-01-01 03:00 from the future", "2026-08-20 03:00 newest, daily"},
		},
		"other databases and other files": {
			backup.Retention{Daily: 1},
			append(nightly(saigon, now, 2), "other-20260101T030000.000Z", "notes.txt"),
			[]string{"2026-08-20 03:00 newest, daily"},
		},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			test.keep.Zone = saigon
			reasons := test.keep.Reasons("etrainer", test.names, now)
			var got []string
			for name, why := range reasons {
				_, started, err := backup.ParseName(name)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, started.In(saigon).Format("2006-01-02 15:04 ")+strings.Join(why, ", "))
			}
			slices.Sort(got)
			slices.Reverse(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
		})
	}
}

// Prune removes what has no reason to stay, and nothing else.
func TestPrune(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Date(2026, 8, 20, 4, 0, 0, 0, time.UTC)
	names := append(nightly(time.UTC, now, 4), "other-20260101T030000.000Z", "notes")
	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(dir, name, "etrainer"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	removed, err := backup.Prune(t.Context(), dirstore.New(dir), "etrainer", backup.Retention{Daily: 2}, now)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(names[:2], removed); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	left := slices.Clone(names[2:])
	slices.Sort(left)
	if diff := cmp.Diff(left, entries(t, dir)); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	started := time.Date(2026, 8, 17, 3, 0, 0, 123e6, time.UTC)
	for database, want := range map[string]string{
		"etrainer": "etrainer-20260817T030000.123Z", "a-b": "a-b-20260817T030000.123Z", "bài tập": "b%C3%A0i%20t%E1%BA%ADp-20260817T030000.123Z",
	} {
		name := backup.NameOf(database, started)
		of, at, err := backup.ParseName(name)
		if name != want || err != nil || of != database || !at.Equal(started) {
			t.Errorf("%s is named %s, which is read as %s at %s, %v", database, name, of, at, err)
		}
	}
	for _, name := range []string{"", "-20260817T030000.123Z", "etrainer", "etrainer-20260817", "a/b-20260817T030000.123Z", "..-20260817T030000.123Z", "etrainer-20260230T030000.000Z"} {
		if _, _, err := backup.ParseName(name); err == nil {
			t.Errorf("%q passes for a name", name)
		}
	}
}
