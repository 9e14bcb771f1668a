// chat-token.mjs -- POST /chat-token for Auth0: the token with which the signed-in visitor's chat speaks to Postern.
// Tested with Node 22, express 5.3.0, express-openid-connect 3.4.0 and jsonwebtoken 9.0.3, against a stand-in for Auth0.
// In your application: app.use(auth({ authRequired: false })), then app.post("/chat-token", chatToken)
//
// 1. The email comes from the ID token that express-openid-connect verified at sign-in and keeps in its encrypted session.
//    Nothing that the browser sends is read. (An API that gets access tokens has no email in them: ask /userinfo.)
// 2. Only an email that Auth0 has verified is signed: with a password anybody signs up under any address.
// 3. The secret stays here: in the environment, in no page, no log and no repository.
import jwt from "jsonwebtoken";

const { POSTERN_SIGNING_KEY: KEY, POSTERN_SIGNING_KID: KID } = process.env;
if (!(KEY?.length >= 32)) throw new Error("POSTERN_SIGNING_KEY is missing or too short");

export function chatToken(req, res) {
  res.set("Cache-Control", "no-store");
  if ((req.get("Sec-Fetch-Site") ?? "same-origin") !== "same-origin") { // a page of another site asks
    return res.status(403).json({ error: "cross_site" });
  }
  const user = req.oidc.isAuthenticated() && req.oidc.user;
  if (!user) return res.status(401).json({ error: "sign_in_required" });
  if (!user.email || user.email_verified !== true) return res.status(403).json({ error: "email_not_verified" });
  // A to Z only: toLowerCase() of the whole makes a k of the Kelvin sign too, and so one person of two.
  const email = user.email.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase());
  res.json({ token: jwt.sign({ email }, KEY, { algorithm: "HS256", expiresIn: 3600, ...(KID && { keyid: KID }) }) });
}
