package steps

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/etrainer/backend/migrations/internal/migrate"
	"github.com/etrainer/backend/pkg/schema"
)

// addresses gives every account the key by which addresses are compared without
// case, and tells which accounts have the same one. Those go on as they are:
// nobody but their owners knows which of them is right.
func addresses() migrate.Step {
	return migrate.Step{
		Number: 6, Name: "addresses", Why: "gives accounts the key by which mail addresses are compared without case, and reports accounts that share an address or a phone number",
		Plan: func(ctx context.Context, target migrate.Target) ([]migrate.Action, error) {
			users := target.DB.Collection(schema.Users)
			seen, err := lookAtAccounts(ctx, users)
			if err != nil {
				return nil, err
			}
			actions := append(shared(users.Name(), "mail address but for capitals", seen.addresses), shared(users.Name(), "phone number", seen.phones)...)
			if seen.without > 0 {
				actions = append(actions, migrate.Action{
					Collection: users.Name(), Documents: seen.without,
					Text: fmt.Sprintf("give %d %s the key of the address", seen.without, plural(seen.without, "account", "accounts")),
					Do:   func(ctx context.Context) error { return giveKeys(ctx, users) },
				})
			}
			return actions, nil
		},
		Undo: func(context.Context, migrate.Target, []string) ([]migrate.Action, error) {
			return []migrate.Action{migrate.Remark(schema.Users, "the field %s of the accounts is kept: no program minds it", schema.EmailKey)}, nil
		},
	}
}

// accountsSeen are the ids of accounts by what they share.
type accountsSeen struct {
	addresses, phones map[string][]string
	without           int // accounts without a key
}

func lookAtAccounts(ctx context.Context, users *mongo.Collection) (accountsSeen, error) {
	seen := accountsSeen{addresses: map[string][]string{}, phones: map[string][]string{}}
	cursor, err := users.Find(ctx, bson.D{}, options.Find().SetProjection(bson.D{{Key: "email", Value: 1}, {Key: "phone", Value: 1}, {Key: schema.EmailKey, Value: 1}}))
	if err != nil {
		return seen, fmt.Errorf("read the accounts: %w", err)
	}
	defer func() { _ = cursor.Close(ctx) }()
	for cursor.Next(ctx) {
		id, _ := cursor.Current.Lookup("_id").ObjectIDOK()
		if email, ok := cursor.Current.Lookup("email").StringValueOK(); ok {
			seen.addresses[schema.EmailKeyOf(email)] = append(seen.addresses[schema.EmailKeyOf(email)], id.Hex())
		}
		if phone, _ := cursor.Current.Lookup("phone").StringValueOK(); phone != "" {
			seen.phones[phone] = append(seen.phones[phone], id.Hex())
		}
		if cursor.Current.Lookup(schema.EmailKey).Type != bson.TypeString {
			seen.without++
		}
	}
	return seen, cursor.Err()
}

// maxShared bounds how many groups of accounts are listed.
const maxShared = 50

// shared reports the accounts that have the same. It names them by their ids:
// addresses and numbers are not for logs.
func shared(collection, what string, accounts map[string][]string) []migrate.Action {
	var groups []string
	for _, ids := range accounts {
		if len(ids) > 1 {
			slices.Sort(ids)
			groups = append(groups, strings.Join(ids, ", "))
		}
	}
	slices.Sort(groups)
	var remarks []migrate.Action
	for _, ids := range groups[:min(len(groups), maxShared)] {
		remarks = append(remarks, migrate.Remark(collection, "these accounts have the same %s and go on as they are; merge or change them: %s", what, ids))
	}
	if more := len(groups) - len(remarks); more > 0 {
		remarks = append(remarks, migrate.Remark(collection, "so do %d more groups of accounts", more))
	}
	return remarks
}

// giveKeys works in batches; what Node adds in the meantime, the api gives its key.
func giveKeys(ctx context.Context, users *mongo.Collection) error {
	const batch = 500
	for {
		cursor, err := users.Find(ctx, bson.D{{Key: schema.EmailKey, Value: nil}},
			options.Find().SetLimit(batch).SetProjection(bson.D{{Key: "email", Value: 1}}))
		if err != nil {
			return fmt.Errorf("read accounts without a key: %w", err)
		}
		var found []bson.Raw
		if err := cursor.All(ctx, &found); err != nil {
			return fmt.Errorf("read accounts without a key: %w", err)
		}
		if len(found) == 0 {
			return nil
		}
		writes := make([]mongo.WriteModel, len(found))
		for i, account := range found {
			email, _ := account.Lookup("email").StringValueOK()
			writes[i] = mongo.NewUpdateOneModel().SetFilter(byID(account.Lookup("_id"))).
				SetUpdate(set(bson.D{{Key: schema.EmailKey, Value: schema.EmailKeyOf(email)}}))
		}
		if _, err := users.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false)); err != nil {
			return fmt.Errorf("give accounts the key of their address: %w", err)
		}
	}
}
