// chat-token.mjs -- POST /chat-token for Supabase: the token with which the signed-in visitor's chat speaks to Postern.
// Tested with Node 22, express 5.3.0, @supabase/supabase-js 2.119.0 and jsonwebtoken 9.0.3, against a stand-in for Supabase Auth.
// In your application: app.post("/chat-token", chatToken)
// The page sends the access token of its session: Authorization: Bearer ACCESS_TOKEN
//
// 1. The email is what the Auth server answers to getUser(). getSession() on a server believes what it is given, and
//    user_metadata is written by the user: neither is asked. Nothing else that the browser sends is read.
// 2. Only a confirmed email is signed. Leave "Confirm email" on in the project's settings: without it Supabase calls
//    every address confirmed at sign-up, whoever typed it.
// 3. The secret stays here: in the environment, in no page, no log and no repository.
import { createClient } from "@supabase/supabase-js";
import jwt from "jsonwebtoken";

const { POSTERN_SIGNING_KEY: KEY, POSTERN_SIGNING_KID: KID, SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY } = process.env;
if (!(KEY?.length >= 32)) throw new Error("POSTERN_SIGNING_KEY is missing or too short");
const supabase = createClient(SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, {
  auth: { persistSession: false, autoRefreshToken: false },
});

export async function chatToken(req, res) {
  res.set("Cache-Control", "no-store");
  const accessToken = /^Bearer (\S+)$/i.exec(req.get("Authorization") ?? "")?.[1];
  const user = accessToken && (await supabase.auth.getUser(accessToken)).data.user;
  if (!user) return res.status(401).json({ error: "sign_in_required" });
  if (!user.email || !user.email_confirmed_at) return res.status(403).json({ error: "email_not_verified" });
  // A to Z only: toLowerCase() of the whole makes a k of the Kelvin sign too, and so one person of two.
  const email = user.email.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase());
  res.json({ token: jwt.sign({ email }, KEY, { algorithm: "HS256", expiresIn: 3600, ...(KID && { keyid: KID }) }) });
}
