package leaderboardmongo_test

import (
	"testing"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

func TestMain(m *testing.M) { mongotest.Main(m) }
