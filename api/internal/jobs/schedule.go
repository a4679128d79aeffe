package jobs

import (
	"encoding/json"
	"net/http"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/api/internal/web"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/queue"
)

// The headers of idempotent requests.
const (
	headerKey      = "Idempotency-Key"
	headerReplayed = "Idempotency-Replayed"
)

type scheduleReply struct {
	Message string       `json:"message"`
	Job     scheduledJob `json:"job"`
}

// scheduledJob keeps the keys of the Node backend; id, state and created are
// new.
type scheduledJob struct {
	Name string          `json:"name"`
	Data json.RawMessage `json:"data"`
	// ScheduledFor is when the job is planned; of a repeated request whose job
	// has run already, when it ran.
	ScheduledFor web.Instant `json:"scheduled_for"`
	// CreatedAt is null when an earlier request made the job.
	CreatedAt web.Instant   `json:"created_at"`
	ID        bson.ObjectID `json:"id"`
	State     job.State     `json:"state"`
	// Created is false when the job existed already, by its idempotency key or
	// its unique fields.
	Created bool `json:"created"`
}

// schedule stores a job. It answers only after a majority of the database has
// the job in its journal.
func (h *Handler) schedule(c *gin.Context) error {
	body, err := web.Decode[scheduleBody](c)
	if err != nil {
		return err
	}
	order, err := body.check()
	if err != nil {
		return err
	}
	key, err := idempotencyKey(c.Request.Header)
	if err != nil {
		return err
	}
	if key != "" {
		if err := order.idempotent(auth.CallerOf(c.Request.Context()).User.ID, key); err != nil {
			return err
		}
	}
	receipt, err := h.client.Enqueue(c.Request.Context(), order.name, order.data, order.options...)
	if err != nil {
		return err
	}
	if key != "" && !receipt.Created {
		c.Header(headerReplayed, "true")
	}
	reply, err := h.scheduled(receipt)
	if err != nil {
		return err
	}
	return web.JSON(c, http.StatusOK, scheduleReply{Message: "Job scheduled successfully", Job: reply})
}

func (h *Handler) scheduled(receipt queue.Receipt) (scheduledJob, error) {
	document, now := receipt.Job, h.store.Now()
	data, err := document.DataJSON()
	if err != nil {
		return scheduledJob{}, err
	}
	reply := scheduledJob{
		Name: document.Name, Data: data, ScheduledFor: web.Instant(document.NextRunAt),
		ID: document.ID, State: document.State(now), Created: receipt.Created,
	}
	if receipt.Created {
		reply.CreatedAt = web.Instant(now)
	}
	if document.NextRunAt.IsZero() {
		reply.ScheduledFor = web.Instant(document.LastRunAt)
	}
	return reply, nil
}
