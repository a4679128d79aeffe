package schema

// The collections that the jobs add which notify users.
const (
	EffectLedger = "effectLedger"
	PushTickets  = "pushTickets"
	JobCursors   = "jobCursors"
)

// Notifying is the part of the schema that these jobs need.
func Notifying() []Collection {
	const retention = "the job \"apply retention\" removes them"
	return []Collection{
		{Name: EffectLedger, Holds: "which outside effects were made; _id is the idempotency key", Indexes: []Index{
			{Name: "retention", Keys: keys("expiresAt", 1), TTL: true, Serves: "retention of entries", Without: retention},
		}},
		{Name: PushTickets, Holds: "push messages that Expo took, until their receipts are read", Indexes: []Index{
			{Name: "retention", Keys: keys("expiresAt", 1), TTL: true, Serves: "retention of tickets whose receipt nobody read", Without: retention},
		}},
		{Name: JobCursors, Holds: "how far jobs have come that continue where they stopped; _id is the job's name", Few: "one document for each job"},
	}
}
