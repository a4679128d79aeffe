// Package authmongo keeps accounts and sessions in MongoDB: accounts in the
// collection users, which the Node backend shares, sessions in authTokens, and
// the claim of the first administrator in authClaims.
package authmongo
