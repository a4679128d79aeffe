package notify

// Person is a user, as far as notifications go.
type Person struct {
	ID        string // hexadecimal
	FCMToken  string // "" = none
	ExpoToken string // "" = none
	// Quiet: the user switched all notifications off (notificationsEnabled is
	// false; a missing or null flag means on).
	Quiet bool
	// NoDaily: the user switched the daily one off (dailyNotifications is
	// false; a missing or null flag means on).
	NoDaily bool
	// Timezone is the user's own, an IANA name; "" = the configured one.
	Timezone string
	// Faults names the fields whose stored values have a foreign type, as
	// counted in Tally.BadRows. A flag that cannot be read counts as off: who
	// tried to switch something off is not to be bothered.
	Faults []string
}

// The faults of a row.
const (
	UnreadableFlag  = "unreadable_flag"  // an opt-out flag that is no boolean
	UnreadableToken = "unreadable_token" // a token that is no text
	UnreadableZone  = "unreadable_zone"  // a time zone that is no text, or no zone
	ForeignID       = "foreign_id"       // an _id that is no ObjectId
	NoUser          = "no_user"          // the field user is no ObjectId
	DeletedUser     = "deleted_user"     // the user does not exist
	UnreadableTime  = "unreadable_time"  // an hour or minute that is none
)
