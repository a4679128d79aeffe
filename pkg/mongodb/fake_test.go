package mongodb_test

import (
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/pkg/mongodb/wiretest"
)

// plain answers as a standalone MongoDB 7 does.
func plain(command bson.Raw) bson.D {
	return wiretest.Greet(command, nil, bson.D{{Key: "version", Value: "7.0.14"}})
}
