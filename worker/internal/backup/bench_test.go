package backup_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/worker/internal/backup"
	"github.com/etrainer/backend/worker/internal/backup/dirstore"
)

// histories is a database with a number of documents such as exam histories,
// made on the way: it costs less than reading them from a server would.
type histories struct {
	documents int
	peak      *uint64 // of the heap
	bytes     *int64  // of all documents
}

func (histories) Database() string                              { return "etrainer" }
func (histories) Engine() backup.Engine                         { return backup.Engine{} }
func (h histories) Open(context.Context) (backup.Reader, error) { return h, nil }
func (histories) Consistency() backup.Consistency               { return backup.Consistency{} }
func (histories) Loosen(error)                                  {}
func (histories) Close(context.Context)                         {}
func (h histories) Collections(context.Context, func(string) bool) ([]backup.Collection, error) {
	return []backup.Collection{{Name: "examhistories", Kind: backup.KindCollection, Metadata: []byte(`{"indexes":[]}`), Estimate: int64(h.documents)}}, nil
}

func (h histories) Documents(_ context.Context, _ string, each func([]byte) error) error {
	samples := make([][]byte, 1000) // more than the window of gzip
	for i := range samples {
		answers := bson.A{}
		for n := range 10 {
			answers = append(answers, bson.D{
				{Key: "question", Value: bson.NewObjectID()},
				{Key: "answer", Value: fmt.Sprint("answer ", rand.IntN(4))},
				{Key: "correct", Value: rand.IntN(3) > 0},
				{Key: "seconds", Value: rand.Float64() * 60 * float64(n)},
			})
		}
		var err error
		samples[i], err = bson.Marshal(bson.D{
			{Key: "_id", Value: bson.NewObjectID()}, {Key: "user", Value: bson.NewObjectID()}, {Key: "answers", Value: answers}, {Key: "endTime", Value: began},
		})
		if err != nil {
			return err
		}
	}
	for i := range h.documents {
		document := samples[i%len(samples)]
		copy(document[9:], fmt.Sprint(i)) // within the id: no two are equal
		*h.bytes += int64(len(document))
		if err := each(document); err != nil {
			return err
		}
		if i%10000 == 0 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			*h.peak = max(*h.peak, m.HeapInuse+m.StackInuse)
		}
	}
	return nil
}

// BenchmarkCreate writes 100,000 and 1,000,000 documents: the heap must be the
// same for both.
func BenchmarkCreate(b *testing.B) {
	for _, encrypted := range []bool{false, true} {
		for _, documents := range []int{100_000, 1_000_000} {
			b.Run(fmt.Sprintf("documents=%d/encrypted=%t", documents, encrypted), func(b *testing.B) {
				o := backup.CreateOptions{}
				if encrypted {
					var err error
					if o.Recipients, err = backup.ParseRecipients([]string{"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"}); err != nil {
						b.Fatal(err)
					}
				}
				var peak uint64
				var bytes, stored int64
				started := time.Now()
				for i := range b.N {
					o.Now = at(began.Add(time.Duration(i) * time.Second))
					made, err := backup.Create(b.Context(), histories{documents, &peak, &bytes}, dirstore.New(b.TempDir()), o)
					if err != nil || made.Documents != int64(documents) {
						b.Fatal(err)
					}
					stored += made.Bytes
				}
				b.SetBytes(bytes / int64(b.N))
				b.ReportMetric(float64(stored)/float64(bytes), "stored/read")
				b.ReportMetric(float64(documents*b.N)/time.Since(started).Seconds(), "documents/s")
				b.ReportMetric(float64(peak)/(1<<20), "heap-MiB")
			})
		}
	}
}
