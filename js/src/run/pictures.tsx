/** What the run displays that is no text. Its markup is the user's own code's, as in an output of a cell; scripts in it do not run. */

export function Pictures({ pictures }: { pictures: [name: string, page: string][] }) {
  return (
    <>
      {pictures.map(([name, page], place) => (
        <figure key={place} class="picture">
          {name !== "" && <figcaption class="who">{name}</figcaption>}
          {/* biome-ignore lint/security/noDangerouslySetInnerHtml: rich output is markup */}
          <div dangerouslySetInnerHTML={{ __html: page }} />
        </figure>
      ))}
    </>
  );
}
