package schedule_test

import (
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/schedule"
)

func BenchmarkNext(b *testing.B) {
	for _, bb := range []struct{ name, expr, zone string }{
		{"minutes", "*/5 * * * *", "UTC"},
		{"daily", "0 9 * * *", "Asia/Ho_Chi_Minh"},
		{"daily with clock changes", "30 2 * * *", "America/New_York"},
		{"leap day", "0 0 29 2 *", "America/New_York"},
		{"fifth Monday of February", "0 0 * 2 1#5", "America/New_York"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			s := mustParse(b, schedule.Spec{Interval: bb.expr, Timezone: bb.zone})
			from := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
			at := from
			b.ReportAllocs()
			for b.Loop() {
				next, ok := s.Next(at)
				if at = next; !ok || at.Year() > 2100 {
					at = from
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	b.Run("cron", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			mustParse(b, schedule.Spec{Interval: "*/5 9-17 * * mon-fri"})
		}
	})
	b.Run("when", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := schedule.ParseWhen("next monday at 9am", tableNow, time.UTC); err != nil {
				b.Fatal(err)
			}
		}
	})
}
