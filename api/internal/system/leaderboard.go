package system

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/etrainer/backend/api/internal/leaderboard"
	"github.com/etrainer/backend/api/internal/web"
)

// defaultLimit is how many learners are shown unless the request says otherwise.
const defaultLimit = 50

// learner is one row. The Node backend also showed the e-mail address, which is
// nobody's business.
type learner struct {
	ID            string      `json:"_id"`
	UserID        string      `json:"userId"`
	Name          string      `json:"name"`
	FullName      string      `json:"fullName"` // the same; the key that the Node backend meant
	AvatarURL     *string     `json:"avatarUrl"`
	Rank          int         `json:"rank"`
	TotalScore    float64     `json:"totalScore"` // right answers
	PracticeCount int64       `json:"practiceCount"`
	AverageScore  float64     `json:"averageScore"` // mean accuracy in percent
	LastActive    web.Instant `json:"lastActive"`
}

type leaderboardReply struct {
	Data      []learner   `json:"data"`
	Cached    bool        `json:"cached"` // whether it comes from the cache
	Timestamp web.Instant `json:"timestamp"`
	AsOf      web.Instant `json:"asOf"` // when the scores were summed up
}

func (h *Handler) leaderboard(c *gin.Context) error {
	limit, err := web.Limit(c, defaultLimit, leaderboard.Size)
	if err != nil {
		return err
	}
	found, err := h.parts.Board.Top(c.Request.Context())
	if err != nil {
		return err
	}
	web.FromCache(c, found.Hit)
	reply := leaderboardReply{Data: []learner{}, Cached: found.Hit, Timestamp: h.now(), AsOf: web.Instant(found.Value.At)}
	for i, row := range found.Value.Rows[:min(limit, len(found.Value.Rows))] {
		shown := learner{
			ID: row.User, UserID: row.User, Name: row.Name, FullName: row.Name, Rank: i + 1,
			TotalScore: row.TotalScore, PracticeCount: row.Practices, AverageScore: row.AverageScore, LastActive: web.Instant(row.LastActive),
		}
		if row.AvatarURL != "" {
			shown.AvatarURL = &row.AvatarURL
		}
		reply.Data = append(reply.Data, shown)
	}
	return web.JSON(c, http.StatusOK, reply)
}
