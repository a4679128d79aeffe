package mongodb_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
	"github.com/etrainer/backend/pkg/outagetest"
)

func TestIsUnavailable(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err  error
		want bool
	}{
		"nil":                  {nil, false},
		"of another sort":      {errors.New("no"), false},
		"no such document":     {mongo.ErrNoDocuments, false},
		"duplicate key":        {mongo.CommandError{Code: 11000}, false},
		"cancelled":            {context.Canceled, false},
		"deadline":             {fmt.Errorf("find: %w", context.DeadlineExceeded), true},
		"closed":               {mongo.ErrClientDisconnected, true},
		"primary steps down":   {fmt.Errorf("find: %w", mongo.CommandError{Code: 189}), true},
		"majority not reached": {mongo.WriteException{WriteConcernError: &mongo.WriteConcernError{Code: 64}}, true},
		"labelled":             {mongo.CommandError{Code: 1, Labels: []string{"RetryableWriteError"}}, true},
	}
	// The driver tries these again, once.
	for _, code := range []int32{6, 7, 89, 91, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436} {
		tests[fmt.Sprint("code ", code)] = struct {
			err  error
			want bool
		}{mongo.CommandError{Code: code}, true}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := mongodb.IsUnavailable(test.err); got != test.want {
				t.Errorf("IsUnavailable(%v) = %v, want %v", test.err, got, test.want)
			}
		})
	}
	t.Run("cut off", func(t *testing.T) {
		t.Parallel()
		door := outagetest.New(t, wiretest.New(t, plain).Host())
		client := connect(t, mongodb.Options{URI: "mongodb://" + door.Address()})
		door.Cut()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := client.Database().Collection("jobs").InsertOne(ctx, bson.D{})
		if !mongodb.IsUnavailable(err) {
			t.Errorf("IsUnavailable(%v) = false, want true", err)
		}
	})
}
