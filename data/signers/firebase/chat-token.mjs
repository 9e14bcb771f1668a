// chat-token.mjs -- POST /chat-token for Firebase: the token with which the signed-in visitor's chat speaks to Postern.
// Tested with Node 22, express 5.3.0, firebase-admin 14.5.1 and jsonwebtoken 9.0.3, against a stand-in for Google's servers.
// In your application, after initializeApp(): app.post("/chat-token", chatToken)
// The page sends what getIdToken() of the signed-in user gives: Authorization: Bearer ID_TOKEN
//
// 1. The email comes from the ID token whose signature Firebase's library has verified, and that was not revoked since
//    (`true` below; a change of the email revokes it). Nothing else that the browser sends is read.
// 2. Only an email that Firebase has verified is signed: with a password anybody signs up under any address.
// 3. The secret stays here: in the environment, in no page, no log and no repository.
import { getAuth } from "firebase-admin/auth";
import jwt from "jsonwebtoken";

const { POSTERN_SIGNING_KEY: KEY, POSTERN_SIGNING_KID: KID, FIREBASE_AUTH_EMULATOR_HOST: EMULATOR } = process.env;
if (!(KEY?.length >= 32)) throw new Error("POSTERN_SIGNING_KEY is missing or too short");
// With this variable verifyIdToken() takes tokens that nobody signed: whoever asks would get a token for any email.
if (EMULATOR) throw new Error("FIREBASE_AUTH_EMULATOR_HOST is set: no token is signed beside the emulator");

export async function chatToken(req, res) {
  res.set("Cache-Control", "no-store");
  const idToken = /^Bearer (\S+)$/i.exec(req.get("Authorization") ?? "")?.[1];
  const user = idToken && await getAuth().verifyIdToken(idToken, true).catch((error) => {
    if (!error.code?.startsWith("auth/")) throw error; // not the token: a misconfiguration, which should be seen
  });
  if (!user) return res.status(401).json({ error: "sign_in_required" });
  if (!user.email || user.email_verified !== true) return res.status(403).json({ error: "email_not_verified" });
  // A to Z only: toLowerCase() of the whole makes a k of the Kelvin sign too, and so one person of two.
  const email = user.email.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase());
  res.json({ token: jwt.sign({ email }, KEY, { algorithm: "HS256", expiresIn: 3600, ...(KID && { keyid: KID }) }) });
}
