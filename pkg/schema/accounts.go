package schema

// The collections of accounts. Users is mongoose's, shared with the Node
// backend.
const (
	Users      = "users"
	AuthTokens = "authTokens"
	AuthClaims = "authClaims"
)

// Accounts is the part of the schema that logins need.
func Accounts() []Collection {
	return []Collection{
		{Name: Users, Holds: "the accounts, shared with the Node backend", Indexes: []Index{
			{Keys: keys("email", 1), Unique: true, Serves: "login, registration: one account for each address; the same as mongoose's"},
			{Keys: keys("phone", 1), Serves: "registration: whether another account has the number"},
			{Keys: keys("timezone", 1), Serves: "study reminders: which time zones users have of their own"},
			{Keys: keys("createdAt", -1), Serves: "weekly report: accounts created in a week; the same as the Node backend's"},
		}},
		{Name: AuthTokens, Holds: "the sessions", Indexes: []Index{
			{Keys: keys("expiresAt", 1), TTL: true, Serves: "the end of sessions", Without: "the api removes them when it starts"},
		}},
		{Name: AuthClaims, Holds: "who became the first administrator", Few: "one document"},
	}
}
