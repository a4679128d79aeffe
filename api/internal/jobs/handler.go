package jobs

import (
	"context"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/cache"
	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/errs"
	"github.com/etrainer/backend/pkg/fleet"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// Store is what the handlers read from the queue.
type Store interface {
	queue.Inspector
	Delete(ctx context.Context, id bson.ObjectID) error
	Settings(ctx context.Context) (map[string]job.Settings, error)
	Singles(ctx context.Context, names ...string) (map[string]*job.Document, error)
	BadSchedules(ctx context.Context) ([]queue.BadSchedule, error)
	Collection() string
	Now() time.Time
}

// Handler answers the routes.
type Handler struct {
	client  *queue.Client
	store   Store
	cached  *cache.Through[queue.Counts]
	fleet   fleet.Registry
	catalog *catalog.Catalog
	zone    *time.Location
}

// NewHandler returns a Handler. counts remembers how many jobs there are; nil =
// they are counted for every request. zone is where schedules without a time
// zone of their own are computed.
func NewHandler(client *queue.Client, store Store, counts *cache.Through[queue.Counts], registry fleet.Registry, jobs *catalog.Catalog, zone *time.Location) *Handler {
	return &Handler{client: client, store: store, cached: counts, fleet: registry, catalog: jobs, zone: zone}
}

// actor is how the queue records who changed something.
func actor(c *gin.Context) string { return auth.CallerOf(c.Request.Context()).User.Email }

// jobID reads the id in the path.
func jobID(c *gin.Context) (bson.ObjectID, error) {
	text := c.Param("id")
	id, err := bson.ObjectIDFromHex(text)
	if err != nil {
		return bson.ObjectID{}, errs.Invalid("id", "id %q is not the id of a job; it has 24 hexadecimal digits", errs.Shorten(text))
	}
	return id, nil
}

type messageReply struct {
	Message string `json:"message"`
}

type jobReply struct {
	Message string  `json:"message"`
	Job     jobView `json:"job"`
}

func (h *Handler) reply(c *gin.Context, message string, document *job.Document) error {
	return web.JSON(c, 200, jobReply{Message: message, Job: h.view(document)})
}
