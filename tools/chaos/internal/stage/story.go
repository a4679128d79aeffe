package stage

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/tools/chaos/internal/check"
	"github.com/etrainer/backend/tools/chaos/internal/history"
	"github.com/etrainer/backend/tools/chaos/internal/poison"
)

// story reads the history and the database.
func (s *Stage) story(ctx context.Context) (check.Story, error) {
	var story check.Story
	var err error
	if story.Lines, err = history.Read(s.folder); err != nil {
		return story, err
	}
	damaged := map[string]bool{}
	for _, line := range story.Lines {
		if line.Event == history.Poison {
			damaged[line.Job] = true
		}
	}
	err = s.each(ctx, "agendaJobs", func(raw bson.Raw) { story.Jobs = append(story.Jobs, jobOf(raw)) })
	if err != nil {
		return story, err
	}
	err = s.each(ctx, "agendaSettings", func(raw bson.Raw) {
		if !damaged[poison.ID(raw.Lookup("_id"))] {
			story.Places = append(story.Places, placesOf(raw)...)
		}
	})
	return story, err
}

func (s *Stage) each(ctx context.Context, collection string, do func(bson.Raw)) error {
	cursor, err := s.db.Collection(collection).Find(ctx, bson.D{})
	if err != nil {
		return fmt.Errorf("read %s at the end: %w", collection, err)
	}
	defer func() { _ = cursor.Close(ctx) }()
	for cursor.Next(ctx) {
		do(cursor.Current)
	}
	return cursor.Err()
}

// jobOf reads a job; what has a wrong type counts as absent.
func jobOf(raw bson.Raw) check.Job {
	now := time.Now()
	text := func(path ...string) string { t, _ := raw.Lookup(path...).StringValueOK(); return t }
	date := func(key string) (time.Time, bool) { return raw.Lookup(key).TimeOK() }
	next, planned := date("nextRunAt")
	finished, ended := date("lastFinishedAt")
	failed, failedOnce := date("failedAt")
	_, isLocked := date("lockedAt")
	_, cancelled := date("cancelledAt")
	return check.Job{
		ID: poison.ID(raw.Lookup("_id")), Name: text("name"), Key: text("data", "key"),
		Recurring: text("repeatInterval") != "" || text("repeatAt") != "",
		Locked:    isLocked, LockedBy: text("lastModifiedBy"), Due: planned && !next.After(now), Planned: planned,
		Finished: ended, Failed: failedOnce && (!ended || !failed.Before(finished)), FailReason: text("failReason"), Cancelled: cancelled,
	}
}

// placesOf reads which places of a limit are taken.
func placesOf(raw bson.Raw) []check.Place {
	name, _ := raw.Lookup("_id").StringValueOK()
	slots, _ := raw.Lookup("slots").ArrayOK()
	values, err := slots.Values()
	if err != nil {
		return nil
	}
	var places []check.Place
	for _, value := range values {
		holder := ""
		if slot, ok := value.DocumentOK(); ok {
			holder, _ = slot.Lookup("holder").StringValueOK()
		}
		places = append(places, check.Place{Name: name, Holder: holder})
	}
	return places
}
