package studyreminders

import "time"

// Moment is a minute of the local clock.
type Moment struct{ Hour, Minute int }

// moments are the minutes that a zone's clock showed in a window, each with
// its local date.
type moments map[Moment]time.Time

// window is the minutes after From, up to and with To.
type window struct{ From, To time.Time }

// momentsIn lists what the clock of a zone shows in the window. Minutes that
// the clock jumps over, when summer begins, belong to the minute after the
// jump: who wants to be reminded at 02:30 is, at 03:00. Minutes that come
// twice, when summer ends, are listed twice with one date, and the second time
// finds its key taken.
func momentsIn(w window, zone *time.Location) moments {
	found := moments{}
	for at := w.From.Add(time.Minute); !at.After(w.To); at = at.Add(time.Minute) {
		now := wall(at, zone)
		for shown := wall(at.Add(-time.Minute), zone).Add(time.Minute); shown.Before(now); shown = shown.Add(time.Minute) {
			found.add(shown)
		}
		found.add(now)
	}
	return found
}

func (m moments) add(shown time.Time) {
	year, month, day := shown.Date()
	m[Moment{shown.Hour(), shown.Minute()}] = time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// wall is what the clock of a zone shows, as an instant of UTC, so that the
// difference of two is the difference of what was shown.
func wall(t time.Time, zone *time.Location) time.Time {
	local := t.In(zone)
	year, month, day := local.Date()
	return time.Date(year, month, day, local.Hour(), local.Minute(), 0, 0, time.UTC)
}
