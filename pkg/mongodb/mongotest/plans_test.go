package mongotest_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
	"github.com/etrainer/backend/pkg/mongodb/wiretest"
)

func TestPlansTellWhatScans(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		reply string
		want  []string
		scans bool
	}{
		"an index":                {`{"queryPlanner":{"winningPlan":{"stage":"FETCH","inputStage":{"stage":"IXSCAN"}},"rejectedPlans":[{"stage":"COLLSCAN"}]}}`, []string{"FETCH", "IXSCAN"}, false},
		"one of two alternatives": {`{"queryPlanner":{"winningPlan":{"stage":"OR","inputStages":[{"stage":"IXSCAN"},{"stage":"COLLSCAN"}]}}}`, []string{"OR", "IXSCAN", "COLLSCAN"}, true},
		"a pipeline":              {`{"stages":[{"$cursor":{"queryPlanner":{"winningPlan":{"stage":"PROJECTION_COVERED","inputStage":{"stage":"IXSCAN"}}}}},{"$group":{}}]}`, []string{"PROJECTION_COVERED", "IXSCAN"}, false},
		"a newer executor":        {`{"queryPlanner":{"winningPlan":{"queryPlan":{"stage":"COLLSCAN"},"slotBasedPlan":{"stages":"[1] scan"}}}}`, []string{"COLLSCAN"}, true},
		"no collection":           {`{"queryPlanner":{"winningPlan":{"stage":"EOF"}}}`, []string{"EOF"}, true},
		"no plan":                 {`{}`, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var reply bson.D
			if err := bson.UnmarshalExtJSON([]byte(test.reply), false, &reply); err != nil {
				t.Fatal(err)
			}

			explained := make(chan bson.Raw, 1)
			server := wiretest.New(t, func(command bson.Raw) bson.D {
				switch wiretest.Name(command) {
				case "explain":
					explained <- command
					return reply
				case "find":
					return bson.D{{Key: "cursor", Value: bson.D{{Key: "id", Value: int64(0)}, {Key: "ns", Value: "db.things"}, {Key: "firstBatch", Value: bson.A{}}}}}
				default:
					return wiretest.Greet(command, nil, nil)
				}
			})

			var reads mongotest.Reads

			client, err := mongo.Connect(options.Client().ApplyURI("mongodb://"+server.Host()+"/?directConnection=true"), reads.Options())
			if err != nil {
				t.Fatal(err)
			}

			defer func() { _ = client.Disconnect(context.WithoutCancel(t.Context())) }()

			db := client.Database("db")
			if _, err := db.Collection("things").Find(t.Context(), bson.D{{Key: "a", Value: 1}}); err != nil {
				t.Fatal(err)
			}

			plans := mongotest.Plans(t, db, reads.Take())
			if len(plans) != 1 || cmp.Diff(test.want, plans[0].Stages) != "" || plans[0].Scans() != test.scans {
				t.Errorf("plans = %v, want the stages %v, scans: %t", plans, test.want, test.scans)
			}

			if got, want := (<-explained).Lookup("explain").String(), `{"find": "things","filter": {"a": {"$numberInt":"1"}}}`; got != want {
				t.Errorf("asked to explain %s, want %s", got, want)
			}

			if left := reads.Take(); len(left) != 0 {
				t.Errorf("%v is still kept", left)
			}
		})
	}
}
