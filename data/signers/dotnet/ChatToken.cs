// Not run by our tests: Debian has no .NET. Written for ASP.NET Core 8 with ASP.NET Core Identity and
// Microsoft.IdentityModel.JsonWebTokens 8; read `postern token explain` on its first token before you trust it.
//
// ChatToken.cs -- POST /chat-token: the token with which the signed-in visitor's chat speaks to Postern.
// In Program.cs, after app.UseAuthentication(): app.MapChatToken();
//
// 1. The email comes from the user whom the session names. Nothing that the browser sends is read.
// 2. Only an email that this site has verified is signed (EmailConfirmed).
// 3. The secret stays here: in the environment, in no page, no log and no repository.
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Identity;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

public static class ChatToken
{
    public static void MapChatToken(this WebApplication app)
    {
        var secret = Environment.GetEnvironmentVariable("POSTERN_SIGNING_KEY");
        var kid = Environment.GetEnvironmentVariable("POSTERN_SIGNING_KID");
        if (secret is null || secret.Length < 32)
            throw new InvalidOperationException("POSTERN_SIGNING_KEY is missing or too short");
        var key = new SymmetricSecurityKey(Encoding.UTF8.GetBytes(secret));
        if (!string.IsNullOrEmpty(kid))
            key.KeyId = kid;
        var credentials = new SigningCredentials(key, SecurityAlgorithms.HmacSha256);
        var handler = new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false };

        app.MapPost("/chat-token", async (HttpContext http, UserManager<IdentityUser> users) =>
        {
            http.Response.Headers.CacheControl = "no-store";
            var site = http.Request.Headers["Sec-Fetch-Site"].ToString();
            if (site is not ("" or "same-origin"))    // a page of another site asks
                return Results.Json(new { error = "cross_site" }, statusCode: 403);
            var user = http.User.Identity?.IsAuthenticated == true ? await users.GetUserAsync(http.User) : null;
            if (user?.Email is null)
                return Results.Json(new { error = "sign_in_required" }, statusCode: 401);
            if (!user.EmailConfirmed)
                return Results.Json(new { error = "email_not_verified" }, statusCode: 403);
            var now = DateTime.UtcNow;
            var token = handler.CreateToken(new SecurityTokenDescriptor
            {
                // A to Z only: ToLowerInvariant() of the whole changes other letters too.
                Claims = new Dictionary<string, object>
                {
                    ["email"] = Regex.Replace(user.Email, "[A-Z]+", m => m.Value.ToLowerInvariant()),
                },
                IssuedAt = now,
                Expires = now.AddHours(1),
                SigningCredentials = credentials,
            });
            return Results.Json(new { token });
        });
    }
}
