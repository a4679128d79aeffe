package authmongo

import (
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/etrainer/backend/api/internal/auth"
	"github.com/etrainer/backend/pkg/job"
	"github.com/etrainer/backend/pkg/schema"
)

const (
	fieldPassword = "password"
	methodGoogle  = "GOOGLE" // of a registration
)

// noDevice is deviceInfo of an account without a device.
var noDevice = bson.D{{Key: "deviceId", Value: nil}, {Key: "platform", Value: nil}, {Key: "appVersion", Value: nil}}

// optionalFields are the fields of an account that have a default, with it: what
// mongoose stores in a new account, and shows where an old one lacks the field.
var optionalFields = bson.D{
	{Key: "phone", Value: nil},
	{Key: "avatarUrl", Value: nil},
	{Key: "dateOfBirth", Value: nil},
	{Key: "level", Value: int32(0)},
	{Key: "role", Value: string(auth.RoleUser)},
	{Key: "gender", Value: "OTHER"},
	{Key: "registrationMethod", Value: "EMAIL"},
	{Key: "expoPushToken", Value: nil},
	{Key: "fcmToken", Value: nil},
	{Key: "deviceInfo", Value: noDevice},
}

// newUserDocument is a new account exactly as mongoose stores it, and the fields
// that we add.
func newUserDocument(id bson.ObjectID, user auth.NewUser, role auth.Role, now time.Time) bson.D {
	now = now.UTC().Truncate(time.Millisecond)
	document := bson.D{
		{Key: "_id", Value: id},
		{Key: "name", Value: user.Name},
		{Key: "email", Value: user.Email},
		{Key: emailKey, Value: schema.EmailKeyOf(user.Email)},
	}
	if user.Verified {
		document = append(document, bson.E{Key: verifiedAt, Value: now})
	}
	if user.PasswordHash != "" {
		document = append(document, bson.E{Key: fieldPassword, Value: user.PasswordHash})
	}
	for _, field := range optionalFields {
		switch {
		case field.Key == "phone" && user.Phone != "":
			field.Value = user.Phone
		case field.Key == "avatarUrl" && user.AvatarURL != "":
			field.Value = user.AvatarURL
		case field.Key == "registrationMethod" && user.Google:
			field.Value = methodGoogle
		case field.Key == "role":
			field.Value = string(role)
		}
		document = append(document, field)
	}
	return append(document,
		bson.E{Key: "createdAt", Value: now}, bson.E{Key: "updatedAt", Value: now}, bson.E{Key: "__v", Value: int32(0)})
}

// decodeUser reads an account that any version of the Node backend, or we,
// stored. Values of a wrong type count as absent.
func decodeUser(raw bson.Raw) (auth.User, error) {
	elements, err := raw.Elements()
	if err != nil {
		return auth.User{}, fmt.Errorf("decode a user: %w", err)
	}
	user := auth.User{Role: auth.RoleUser, Profile: defaultProfile()}
	var ends ended
	var stamped stamp
	google := false
	for _, element := range elements {
		key, value := element.Key(), element.Value()
		switch key {
		case fieldPassword:
			user.PasswordHash, _ = value.StringValueOK()
			continue
		case lastLogoutAt:
			user.LastLogoutAt, _ = value.TimeOK()
			continue
		case endedSessions:
			ends = decodeEnded(value)
			continue
		case emailKey:
			continue
		case sessionStamp:
			stamped = decodeStamp(value)
			continue
		case verifiedAt:
			_, user.Verified = value.TimeOK()
			continue
		case "registrationMethod":
			method, _ := value.StringValueOK()
			google = method == methodGoogle
		case "_id":
			id, _ := value.ObjectIDOK()
			user.ID = id.Hex()
		case "email":
			user.Email, _ = value.StringValueOK()
		case "role":
			role, _ := value.StringValueOK()
			user.Role = auth.Role(role)
		}
		user.Profile[key] = job.PlainValue(value)
	}
	user.EndedSessions = ends.ids(user.LastLogoutAt)
	user.Stamp, user.AllEndedAt = stamped.of(user.PasswordHash), stamped.AllEndedAt
	user.Verified = user.Verified || google
	return user, nil
}

func defaultProfile() map[string]any {
	profile := make(map[string]any, 2*len(optionalFields))
	for _, field := range optionalFields {
		profile[field.Key] = field.Value
	}
	profile["deviceInfo"] = map[string]any{"deviceId": nil, "platform": nil, "appVersion": nil}
	return profile
}
