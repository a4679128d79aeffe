package schema

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// The collections of accounts. Users is mongoose's, shared with the Node
// backend.
const (
	Users      = "users"
	AuthTokens = "authTokens"
	AuthClaims = "authClaims"
)

// EmailKey is the field of an account by which addresses are compared without
// case. mongoose keeps it, and does not make it.
const EmailKey = "emailKey"

// EmailKeyOf is its value for an address.
func EmailKeyOf(address string) string { return strings.ToLower(address) }

// Accounts is the part of the schema that logins need.
func Accounts() []Collection {
	return []Collection{
		{Name: Users, Holds: "the accounts, shared with the Node backend", Indexes: []Index{
			{Keys: keys("email", 1), Unique: true, Serves: "login, registration: one account for each address; the same as mongoose's"},
			{Keys: keys(EmailKey, 1), Serves: "login, registration: the account with an address, whatever its case; those that Node made and that have no key yet"},
			{
				Name: "administrators", Keys: keys("role", 1), Partial: bson.D{{Key: "role", Value: "ADMIN"}}, Few: "the administrators",
				Serves: "whether there is an administrator", Without: "the look reads accounts until it finds one",
			},
			{Keys: keys("phone", 1), Serves: "registration: whether another account has the number"},
			{Keys: keys("timezone", 1), Serves: "study reminders: which time zones users have of their own"},
			{Keys: keys("createdAt", -1), Serves: "weekly report: accounts created in a week; the same as the Node backend's"},
		}},
		{Name: AuthTokens, Holds: "the sessions", Indexes: []Index{
			{Keys: keys("expiresAt", 1), TTL: true, Serves: "the end of sessions", Without: "the api removes them when it starts"},
			{Keys: keys("userId", 1, "address", 1, "expiresAt", 1), Serves: "logins: whether a session of an account was opened from an address"},
		}},
		{Name: AuthClaims, Holds: "who became the first administrator, and addresses and phone numbers that are being registered", Few: "one document, and two for each registration that goes on"},
	}
}
